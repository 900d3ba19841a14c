from protocol.diagnosis import *
