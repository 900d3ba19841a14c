from protocol.uplink_delay import *
