"""
Topics: events from one publisher to many subscribers.

``topic``  `Topic`: publishes, and gives subscriptions; and `TopicStats`
``subscription``  `Subscription`: what those who subscribe hold
``subscriber``  `Subscriber`: one subscription, as its topic knows it; `Sink`: their way out
``sinks``  callbacks, here and at a peer, and loops of this program
``groups``  the subscribers that live in one place, and their order
``places``  where a subscriber lives: in a loop, or with a connection
``event``  `Event`: its bytes, the same for many; `Missed`: stands for those that did not come
``waiting_events``  what waits for one subscriber, and what is dropped
``retained``  the last event of each key
``shares``  how much each connection has subscribed to, which is bounded
``filters``  names and keys, and which keys a subscriber wants
``encoding``  `encode_event`, `decode_event`: an event to bytes and back
``ports``  `BusLink` and `BusListener`: what joins the topics of several processes
``bus``  a topic's side of that
"""
