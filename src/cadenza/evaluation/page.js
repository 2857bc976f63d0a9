// Each roll follows its sound: a line at the time, and the notes under it; a click goes there.
for (const figure of document.querySelectorAll(".piece")) {
  const svg = figure.querySelector(".roll");
  const sound = figure.querySelector("audio");
  const now = figure.querySelector(".now");
  const width = svg.viewBox.baseVal.width;
  const pixels = width / Number(svg.dataset.seconds);
  const notes = [...svg.querySelectorAll(".notes rect")].map((rect) => {
    const left = Number(rect.getAttribute("x"));
    return { rect, left, right: left + Number(rect.getAttribute("width")) };
  });
  const follow = () => {
    const at = sound.currentTime * pixels;
    now.setAttribute("transform", `translate(${Math.min(at, width)} 0)`);
    for (const { rect, left, right } of notes) rect.classList.toggle("on", !sound.paused && left <= at && at < right);
    if (!sound.paused) requestAnimationFrame(follow);
  };
  sound.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== sound) other.pause();
    follow();
  });
  for (const event of ["pause", "seeked", "ended"]) sound.addEventListener(event, follow);
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    sound.currentTime = ((event.clientX - box.left) / box.width) * Number(svg.dataset.seconds);
    sound.play();
  });
}
