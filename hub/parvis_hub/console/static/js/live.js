// The stream of changes from the hub: what comes, what was missed, and since when nothing comes.

/** The hub says every 5 seconds that it is there; after three of these it counts as lost. */
const SILENCE_MS = 15_000;
const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000];

/**
 * @param {string} from The number of the last change that is known already.
 * @param {object} on `incident`, `unit`, `resync` (read everything again), `heartbeat` with the hub's time, `signed_out`, `live`, `lost`.
 */
export function listen(from, on) {
  let source = null;
  let lastId = from;
  let lastHeard = Date.now();
  let attempt = 0;
  let timer = null;

  const heard = (event) => {
    lastHeard = Date.now();
    if (event?.lastEventId) lastId = event.lastEventId;
  };

  function open() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(`api/events?last_event_id=${encodeURIComponent(lastId)}`);
    lastHeard = Date.now();
    source.addEventListener("hello", (event) => {
      heard(event);
      attempt = 0;
      on.heartbeat(JSON.parse(event.data));
      on.live();
    });
    for (const name of ["incident", "unit", "resync", "heartbeat", "signed_out"]) {
      source.addEventListener(name, (event) => {
        heard(event);
        on[name](JSON.parse(event.data));
      });
    }
    source.onerror = again;
  }

  function again() {
    source?.close();
    on.lost(lastHeard);
    clearTimeout(timer);
    timer = setTimeout(open, RETRY_MS[Math.min(attempt++, RETRY_MS.length - 1)]);
  }

  setInterval(() => {
    if (source?.readyState === EventSource.OPEN && Date.now() - lastHeard > SILENCE_MS) again();
  }, 1_000);
  // A computer that wakes up, or a network that comes back, need not wait for the next try.
  addEventListener("online", () => source?.readyState !== EventSource.OPEN && open());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && source?.readyState === EventSource.CLOSED && open());
  open();
}
