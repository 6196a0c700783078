"""
Topics: events from one publisher to many subscribers.

``ports``  `BusLink` and `BusListener`: what joins the topics of several processes
``encoding``  `encode_event`, `decode_event`: an event to bytes and back
"""
