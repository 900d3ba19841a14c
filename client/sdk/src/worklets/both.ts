// What the core carries inside: one resampler for both.
import './capture.js';
import './playback.js';
