from protocol.media import *
