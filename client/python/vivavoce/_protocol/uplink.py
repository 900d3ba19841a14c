from protocol.uplink import *
