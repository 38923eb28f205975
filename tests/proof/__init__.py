"""The proof: one shop, delivered to Segment, mParticle and Insider at once, read back from what each of them holds.

picture    what somebody concludes about the shop: purchases, refunds, money, people, consents, products; and how two differ
shop       the picture that the shop's own raw records give, and what each destination by its own rules can hold of it
readers    the picture that a stranger gets who sees nothing but what a destination holds
project    the shop, `cdi.yaml` with the three destinations, and the real command, undisturbed or among kills and faults
figures    the table of what was compared

`picture`, `shop` and `readers` import nothing of the package: they must not share its mistakes.
"""
