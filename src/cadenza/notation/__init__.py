"""Staff notation: from a score of notes on ticks to bars, voices and note values, to MusicXML and SVG."""
