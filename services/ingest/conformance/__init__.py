"""The conformance kit: what every adapter must do, as checks that anybody can run over theirs."""
