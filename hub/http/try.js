// Signs a post in the browser as the default form of hub-signature (Standard Webhooks 1.0), sends it to this hub, and shows the answer.
// Key and secret stay in the page: they are neither stored nor sent anywhere but in the signature's headers.
'use strict';

async function signed(secret, id, timestamp, body) {
  const raw = Uint8Array.from(atob(secret.replace(/^whsec_/, '')), (char) => char.charCodeAt(0));
  const key = await crypto.subtle.importKey('raw', raw, {name: 'HMAC', hash: 'SHA-256'}, false, ['sign']);
  const mark = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(`${id}.${timestamp}.${body}`));
  return 'v1,' + btoa(String.fromCharCode(...new Uint8Array(mark)));
}

async function post(path, key, secret, body) {
  const id = 'try_' + crypto.randomUUID();
  const timestamp = String(Math.floor(Date.now() / 1000));
  const headers = {
    'authorization': `ApiKey ${key}`,
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': await signed(secret, id, timestamp, body),
  };
  const answer = await fetch(path, {method: 'POST', headers, body});
  return {status: answer.status, text: await answer.text()};
}

if (typeof document !== 'undefined') {
  for (const form of document.querySelectorAll('form.try')) {
    form.hidden = false;
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const shown = form.querySelector('pre');
      shown.hidden = false;
      shown.textContent = '…';
      try {
        const answer = await post(form.dataset.path, form.key.value.trim(), form.secret.value.trim(), form.body.value);
        shown.textContent = `${answer.status}\n${JSON.stringify(JSON.parse(answer.text), null, 2)}`;
      } catch (error) {
        shown.textContent = `It was not sent: ${error.message}`;
      }
    });
  }
}

if (typeof module !== 'undefined') module.exports = {signed, post};
