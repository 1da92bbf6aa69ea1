"""Media measured into weighted words. Nothing is recognised: only colours, edges, motion, pitch, loudness."""
