-- Rejected owner headers, newest first: few among the accepted ones, and read most often.
CREATE INDEX initiator_overrides_rejected ON initiator_overrides (id) WHERE accepted = 0;
