"""A simulated life of a shop and of the cron job that syncs it, and the judge of what came of it.

book     what the shop held, write by write          facts    what a raw record means, written out a second time
oracle   compares what arrived with the book         keeper   seeded random changes of orders and customers
zygote   runs `cdi` in forked children, with a clock, kill points and no waits
client   the test's end of the zygote                doubts   what may be sent twice, and that nothing else is
script   what happens next, by chance                world    the shop, two destinations, the runs and their faults

`book`, `facts` and `oracle` import nothing of the package: they must not share its mistakes.
"""
