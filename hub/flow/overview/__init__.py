"""The whole, looked at: what needs a person, the landscape, rates, backlog, causes."""
