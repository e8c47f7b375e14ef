"""Everything odd about the wire: operations, parameters, envelopes. Pure, no I/O."""
