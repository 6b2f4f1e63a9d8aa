"""What pages share: the page's context, links, formatting, preferences, assets."""
