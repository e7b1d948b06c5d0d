"""`make demo`: the main job on real parts, to watch. The last line is a JSON object of its figures."""
