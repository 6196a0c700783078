"""
Buses: what joins the topics of several processes, of one host or of many.

A bus keeps the last events of each topic in order, for a bounded while: a Redis does it for many
machines, and one process of a host for the others of its account. All else is the same for both,
and is done by those who publish and read:

* A publisher numbers its events, and keeps them until the bus has them; the last of them longer,
  so that a bus which comes back empty gets them again. So one that is away for a while, or that is
  killed, costs no event as long as these bounds last.
* What is published is for the subscribers of its own process at once. Of each key all processes
  have the same last event all the same: the one that came to the bus last.
* A reader reads on from where it was. By the numbers it drops what comes twice, and knows how many
  events did not come.

``ports``     what is asked of something that keeps events: `Store`
``envelope``  an event with its publisher's id and number, to bytes and back
``doubles``   nothing twice, and gaps counted: `Seen`
``last``      which event of a key is the last one, for all processes alike: `LastOfKeys`
``outgoing``  what is still to be published, and what may be needed again: `Outgoing`
``incoming``  what others publish on one topic: `Incoming`
``channel``   one topic on a bus: `Channel`
``bus``       one connection for all topics of a loop, which comes back: `Bus`
``redis_store``  events kept in a Redis: what it is asked, whatever speaks to it
``redis_url``    ``redis://...``, taken apart
``redis_reactor``  speaking to it by txredisapi, in a reactor
``redis_asyncio``  the same by redis.asyncio, which needs no reactor
``host``      the bus of one host, over a private UNIX socket
``host_store``   the end of it that publishes and reads
``keeping``   events kept in memory, which the host's bus serves
``joining``   which bus a topic is on: `join_by`
"""
