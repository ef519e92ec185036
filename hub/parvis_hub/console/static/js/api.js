// Asking the hub, and telling it what a person decided.

export class HubError extends Error {
  /** @param {number} status 0 where the hub does not answer. */
  constructor(status) {
    super(`hub: ${status}`);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new HubError(0);
  }
  if (!response.ok) throw new HubError(response.status);
  return response.json();
}

export const site = () => ask("api/site");
export const incidents = () => ask("api/incidents");
export const incident = (id) => ask(`api/incidents/${id}`);
export const units = () => ask("api/units");

/** Another site's page cannot set this header without the hub's leave: with the origin, it shows that the request is from here. */
export const decide = (id, verdict, reason, by) =>
  ask(`api/incidents/${id}/verdict`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-parvis-console": "1" },
    body: JSON.stringify({ verdict, reason, by }),
  });
