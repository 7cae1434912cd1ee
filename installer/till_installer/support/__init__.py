"""The support bundle: what somebody far away needs to help, and nothing that is a secret or names a person."""
