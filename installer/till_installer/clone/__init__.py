"""Moving a till to another machine: one sealed file carries what makes it that till."""
