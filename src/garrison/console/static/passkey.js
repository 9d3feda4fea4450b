// Asks the browser's authenticator for a new key or a signature, and sends the answer with the form.
"use strict";

const form = document.getElementById("passkey");
const button = document.getElementById("use-passkey");
const message = document.getElementById("passkey-message");

function bytes(text) {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (each) => each.charCodeAt(0));
}

function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function withBytes(options) {
  options.challenge = bytes(options.challenge);
  if (options.user) {
    options.user.id = bytes(options.user.id);
  }
  for (const name of ["allowCredentials", "excludeCredentials"]) {
    for (const each of options[name] || []) {
      each.id = bytes(each.id);
    }
  }
  return options;
}

function withText(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) {
      response[name] = text(credential.response[name]);
    }
  }
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

async function ask() {
  if (!form.reportValidity()) {
    return;
  }
  const publicKey = withBytes(JSON.parse(form.dataset.options));
  const made = await navigator.credentials[form.dataset.ceremony]({ publicKey });
  form.elements.credential.value = JSON.stringify(withText(made));
  form.submit();
}

button.addEventListener("click", () => {
  ask().catch((error) => {
    message.textContent = "The browser made no key or signature: " + error.name;
    message.hidden = false;
  });
});
