from protocol.audio import *
