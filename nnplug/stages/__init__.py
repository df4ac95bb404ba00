"""One file a verb, in the order the data flows: convert, check, plan, train, predict, evaluate."""
