// Asking the hub, and telling it what a person decided.

import { state } from "./state.js";

export class HubError extends Error {
  /** @param {number} status 0 where the hub does not answer. */
  constructor(status, wait_s = 0, why = "") {
    super(`hub: ${status}`);
    this.status = status;
    /** What the hub says is wrong with what was sent. */
    this.why = why;
    /** How long to wait before asking again, where the hub says so. */
    this.wait_s = wait_s;
  }
}

let refused = () => {};
/** @param {() => void} listener Called when the hub does not let the page do something: somebody else may be signed in by now. */
export const onRefused = (listener) => { refused = listener; };

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new HubError(0);
  }
  if (response.ok) return response.json();
  if ([401, 403].includes(response.status)) refused();
  const why = response.status === 422 ? (await response.json()).error : "";
  throw new HubError(response.status, Number(response.headers.get("retry-after")), why);
}

/** Another site's page cannot set this header without the hub's leave: with the origin, it shows that the request is from here. */
const OURS = { "content-type": "application/json", "x-parvis-console": "1" };
const ofSession = () => (state.session?.csrf ? { ...OURS, "x-parvis-csrf": state.session.csrf } : OURS);

export const session = () => ask("api/session");
export const signIn = (name, password) => ask("api/session", { method: "POST", headers: OURS, body: JSON.stringify({ name, password }) });
/** Where a browser goes to sign in at the provider. */
export const ELSEWHERE = "api/session/openid";
/** @returns {Promise<{leave: ?string}>} `leave`: where to end the session with the provider. */
export const signOut = () => ask("api/session", { method: "DELETE", headers: ofSession() });

export const site = () => ask("api/site");
export const incidents = () => ask("api/incidents");
export const incident = (id) => ask(`api/incidents/${id}`);
/** @param {Date} since @param {number} minutes */
export const replay = (since, minutes) => ask(`api/replay?since=${since.toISOString()}&minutes=${minutes}`);
export const units = () => ask("api/units");

/** @param {string|undefined} by Where nobody signs in. */
export const decide = (id, verdict, reason, by) =>
  ask(`api/incidents/${id}/verdict`, { method: "POST", headers: ofSession(), body: JSON.stringify({ verdict, reason, by }) });

const send = (path, body) => ask(path, { method: "POST", headers: ofSession(), body: JSON.stringify(body) });

export const consents = () => ask("api/consents");
export const enrol = (asked) => send("api/consents", asked);
export const renew = (participant, asked) => send(`api/consents/${participant}/renew`, asked);
export const withdraw = (participant, by) => send(`api/consents/${participant}/withdraw`, { by });
/** Each look is in the accountability log. */
export const route = (participant, by) => ask(`api/routes/${participant}${by ? `?by=${by}` : ""}`);

/** @param {number|null} before Of the log's entries, only those with a smaller number. */
export const log = (before) => ask(`api/audit${before === null ? "" : `?before=${before}`}`);
export const retention = () => ask("api/retention");

export const fleet = () => ask("api/fleet");
/** @param {"pause"|"resume"|"back"} act @param {string|undefined} by Where nobody signs in. */
export const steer = (rollout, act, by) => send(`api/rollouts/${rollout}/${act}`, { by });
