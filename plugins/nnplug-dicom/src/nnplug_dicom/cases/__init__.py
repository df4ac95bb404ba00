"""From files to series, and from series to the channels and the label of a case."""
