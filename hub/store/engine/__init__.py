"""The database below the verbs: connections, transactions, dialects, tables, faults."""
