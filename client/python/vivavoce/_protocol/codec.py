from protocol.codec import *
