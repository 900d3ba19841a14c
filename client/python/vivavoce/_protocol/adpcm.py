from protocol.adpcm import *
