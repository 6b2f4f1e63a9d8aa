"""What partners meet: posts, webhooks, CloudEvents, interface documents."""
