"""The operators' console: pages made by the server, behind a sign-in. Knows no SQL, and changes things by the verbs of
the flow alone.

Imports hub.http, hub.flow and what lies below. Third parties that live here: flask, jinja2. How a page is added, and
the parts that pages are made of (`pages/parts.html`): docs/console.md, under "For engineers".
"""

from hub.console.attach import attach as attach
