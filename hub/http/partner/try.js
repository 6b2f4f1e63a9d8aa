// The script of /docs. It signs in the browser, in the form that the key has (hub-signature: Standard Webhooks 1.0, or the legacy one): the
// question for what the key may use, and posts that are tried. Key and secret stay in the page's two fields: nothing here stores them, puts
// them into an address, or sends the secret. What is answered is shown as text; only the hub's own fragment becomes markup.
'use strict';

const COLUMNS = ['pointer', 'got', 'want', 'fix'];

function utf8(text) {
  return new TextEncoder().encode(text);
}

function secretBytes(secret) {
  if (!secret.startsWith('whsec_')) return utf8(secret);
  try {
    return Uint8Array.from(atob(secret.slice(6)), (char) => char.charCodeAt(0));
  } catch {
    throw new Error('the secret is not base64 behind whsec_; copy all of it');
  }
}

async function signed(secret, id, timestamp, body) {
  const key = await crypto.subtle.importKey('raw', secretBytes(secret), {name: 'HMAC', hash: 'SHA-256'}, false, ['sign']);
  const mark = await crypto.subtle.sign('HMAC', key, utf8(`${id}.${timestamp}.${body}`));
  return 'v1,' + btoa(String.fromCharCode(...new Uint8Array(mark)));
}

async function signedLegacy(key, secret, timestamp, body) {
  const mark = await crypto.subtle.digest('SHA-256', utf8(timestamp + key + body + secret));
  return Array.from(new Uint8Array(mark), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// The headers that prove a request. `who`: key, secret, and the form that the key has.
async function proof(who, body) {
  // Browsers sign on https and on this machine itself alone.
  if (!globalThis.crypto?.subtle) throw new Error('a browser signs on https alone; open this page by its https address');
  if (!who.key || !who.secret) throw new Error('put in a key and its secret first');
  const authorization = `ApiKey ${who.key}`;
  if (who.form === 'legacy') {
    const stamp = String(Date.now());
    return {authorization, 'x-timestamp': stamp, 'x-signature': await signedLegacy(who.key, who.secret, stamp, body)};
  }
  const id = 'try_' + crypto.randomUUID();
  const timestamp = String(Math.floor(Date.now() / 1000));
  return {authorization, 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': await signed(who.secret, id, timestamp, body)};
}

async function send(path, options) {
  const answer = await fetch(path, {cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer', ...options});
  return {status: answer.status, text: await answer.text()};
}

async function ask(path, who) {
  return send(path, {headers: await proof(who, '')});
}

async function post(path, who, body) {
  return send(path, {method: 'POST', body, headers: {...(await proof(who, body)), 'content-type': 'application/json'}});
}

// An element of the page. What it holds is text or further elements, never markup.
function made(doc, tag, ...content) {
  const element = doc.createElement(tag);
  for (const one of content) {
    if (typeof one === 'string') element.append(doc.createTextNode(one));
    else element.append(one);
  }
  return element;
}

function detailsTable(doc, details) {
  const head = made(doc, 'thead', made(doc, 'tr', ...COLUMNS.map((name) => made(doc, 'th', name))));
  const rows = details.map((fault) => made(doc, 'tr', ...COLUMNS.map((name) => made(doc, 'td', String(fault[name] ?? '')))));
  return made(doc, 'table', head, made(doc, 'tbody', ...rows));
}

// What is shown of an answer: of a refusal its words, its code with what it means, and its details as a table; and the whole as it came.
function shown(doc, answer) {
  let told;
  try {
    told = JSON.parse(answer.text);
  } catch {
    return [made(doc, 'p', String(answer.status)), made(doc, 'pre', answer.text)];
  }
  const whole = made(doc, 'pre', JSON.stringify(told, null, 2));
  if (!told?.code) return [made(doc, 'p', String(answer.status)), whole];
  const link = made(doc, 'a', String(Number(told.code)));
  link.href = `/docs/errors#${Number(told.code)}`;
  const parts = [made(doc, 'p', `${answer.status} (`, link, `): ${told.message ?? told.detail ?? ''}`)];
  if (Array.isArray(told.details) && told.details.length) parts.push(detailsTable(doc, told.details));
  return [...parts, made(doc, 'details', made(doc, 'summary', 'As it came'), whole)];
}

function start(doc) {
  const field = (id) => doc.getElementById(id);
  const who = () => ({key: field('key').value.trim(), secret: field('secret').value.trim(), form: field('form').value});
  // Where the browser knows Trusted Types, the page's policy lets no other text become markup than what goes through here.
  const policy = globalThis.trustedTypes?.createPolicy('fragment', {createHTML: (text) => text}) ?? {createHTML: (text) => text};

  const say = (...parts) => {
    field('said').hidden = false;
    field('said').replaceChildren(...parts.map((part) => (typeof part === 'string' ? doc.createTextNode(part) : part)));
  };

  async function tryIt(form) {
    const place = form.querySelector('.answer');
    place.hidden = false;
    place.replaceChildren(made(doc, 'p', '…'));
    try {
      place.replaceChildren(...shown(doc, await post(form.dataset.path, who(), form.querySelector('textarea').value)));
    } catch (error) {
      place.replaceChildren(made(doc, 'p', `It was not sent: ${error.message}.`));
    }
  }

  // A link cannot be signed: with a key the document is asked for here, and handed to the browser as a file.
  async function save(link) {
    try {
      const answer = await ask(link.getAttribute('href'), who());
      if (answer.status !== 200) return say(...shown(doc, answer));
      const file = made(doc, 'a');
      file.href = URL.createObjectURL(new Blob([answer.text], {type: 'application/json'}));
      file.download = link.download;
      file.click();
      setTimeout(() => URL.revokeObjectURL(file.href), 10_000);
    } catch (error) {
      say(`It was not asked for: ${error.message}.`);
    }
  }

  function wire(place) {
    for (const form of place.querySelectorAll('form.try')) {
      form.hidden = false;
      form.addEventListener('submit', (event) => {
        event.preventDefault();
        tryIt(form);
      });
    }
    for (const link of place.querySelectorAll('a.file')) {
      link.addEventListener('click', (event) => {
        if (!who().key) return;
        event.preventDefault();
        save(link);
      });
    }
  }

  async function open() {
    say('…');
    try {
      const answer = await ask('/docs/mine', who());
      if (answer.status !== 200) {
        field('shown').replaceChildren();
        return say(...shown(doc, answer));
      }
      const parsed = new DOMParser().parseFromString(policy.createHTML(answer.text), 'text/html');
      field('shown').replaceChildren(...parsed.body.childNodes);
      wire(field('shown'));
      say('These are the messages that this key may use.');
    } catch (error) {
      say(`It was not asked for: ${error.message}.`);
    }
  }

  field('noscript').hidden = true;
  field('who').hidden = false;
  field('who').addEventListener('submit', (event) => {
    event.preventDefault();
    if (field('who').querySelector('button')) open();
  });
  wire(field('shown'));
}

if (typeof document !== 'undefined') start(document);
if (typeof module !== 'undefined') module.exports = {ask, post, proof, shown, signed, signedLegacy};
