from protocol.uplink_form import *
