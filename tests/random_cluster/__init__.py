"""Random clusters at the wire: a seed decides everything, and a referee judges what comes.

``python -m tests.random_cluster --seed N`` tells the whole story of a seed;
``python -m tests.random_cluster --seeds 200`` plays the seeds from 0 and prints a table.
With ``--stock`` the scheduler is ipyparallel's own, for comparison.

A script (`script`) is made from the seed before anything starts, and played (`world`) to the
real scheduler in a process of its own: a hub, two or three clients, and engines that come,
refuse, fail, answer late or twice, lose an answer, lose their connection with all that was under
way and connect again, die, are declared dead wrongly, and come back.  Some clients are rich
(`rich`): their tasks have priorities and limits, engines say that they are busy, and what was
submitted is taken back, by its own client or by another.  In most scripts tasks have results of
others as arguments: clients are asked for values, and send them, too late, or never, or say that
they cannot; strangers send wrong ones.  In some the longest path comes first.  (The stock scheduler
is spared all that.)
Then all is left alone until nothing more happens, to see whether the tasks that still wait have a
reason; and at last every engine that lives, and a new one, takes and answers everything.
The referee knows the rules and `ipyparallel.Dependency`, and not how a scheduler works.

What can be judged
------------------
Messages on different sockets overtake each other, and the operating system decides by how
much: a seed always plays the same script, but not always the same run.  So the referee
judges by these orders only:

- The scheduler tells the hub of each task that it takes in, sends to an engine, or answers,
  over one socket.  These messages are the order of its decisions.  Dependencies, targets,
  "once" and "after its answer" are judged by it alone.  (The stock scheduler tells of an end
  after what that end sets free; there a reply counts for dependencies from when the engine
  sent it, and a lost task from the end of the grace, both of which are before.)
- All peers live in one thread.  What they send after a message came has not caused it.  So
  an engine that had neither answered nor been declared dead when the hub heard that its task
  was elsewhere did have the task still.  To know as much as possible by then, the hub is heard
  first, and an engine answers a task only when the hub has heard that it has it.
- The hub's word on an engine has been taken in when a probe was answered that a client sent
  after the answer to a probe that it sent after that word.  (A probe is a task that is answered
  at once.  Before the first answer the word was on its way to the same thread of the scheduler
  that passed on the first probe; so it had arrived before the second, and a scheduler reads
  the hub's words before it takes in a task.)  An attempt on an engine between the word of its
  death and then is in doubt: nobody knows which of the two came first.
- An engine answers a question only when all that it got before is answered or lost.  So a task that
  an engine has lost must be found out, unless the engine holds another one and answers nothing; and
  one that is not lost must not be found lost.  What had not come when an engine connected again is
  lost: the scheduler has answered three probes in between, so it has seen the old connection go.
- A grace or a timeout was too short where it was so by the clock from the sending of what
  started it to the coming of what followed: the scheduler has waited less than that.
- A reply that was sent before its engine was declared dead is taken to come before the grace is
  over; and what nothing was heard of for long, not to come.  Nothing else rests on speed.
- A task overtakes another where the hub hears that it is on an engine, and the other one surely
  waited for no more than that: it had been taken in, what it is `after` had ended, no request
  had named it, and it had never been on an engine.  (One that was on its way to an engine without a
  connection may have been overtaken; so all engines that it may run on have to be ones that got
  something over the connection that they have.)  Its priority is at least its own and those of the
  tasks that surely wait for it; the other's at most the highest of all that ever depended on it.
- The hub hears late of what was taken back, and the client that did it in the answer to its request
  only.  So a task that a request names may be cancelled from the sending of the request until its
  answer says otherwise.  Once that says so, no engine must be given the task.  Where an engine has
  it, it is not retried from then on, and may be cancelled when that gives it back.
- Where the longest path comes first, the path of the one that waited has at least its own cost, and
  that of the other at most the longest one through all that ever depended on it, if all have costs.
- A task with arguments comes to an engine byte for byte as its client sent it, and behind it the
  buffers that the clients of its arguments' tasks got, in the order of the arguments.  Clients send
  the same bytes when they are asked; where a reply has no buffers, some that name its task.  So a
  stranger's value shows wherever it goes.
- A value must be held where the hub had heard of a task that needs it before an engine answered,
  and the bound is never reached.  It must not be where values that together are over the bound come
  with a task, and nobody was asked for them.  At the end one that leaves no room for another shows
  that no other is held.
- A client was asked after its task was sent, and after its arguments' tasks were first answered.
  So it must not count as too late where all that it sent came sooner after that than its time; this
  is judged at the end, since the hub may be heard before the question.  What it sends in time must
  be taken if only the client itself can have ended its task.
- A task runs for too long where it was surely the oldest on its engine, and all has been quiet for
  longer than any `run_timeout`.  It was too early where no more time had passed since it was sent,
  or its attempt before had ended.
- What stays in doubt is not judged: above all, for which of two attempts on one engine a reply
  counted that came late, or was one too many.

That a task is answered at all is judged at the end, when nothing has come for long; that none
is answered twice, by a last probe of each client, whose answer comes behind all others.
"""
