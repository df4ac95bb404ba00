"""Where jobs run. Each engine has ``run(jobs, sweep)``: try every job once, and record as lost
what could not record its own end.
"""
