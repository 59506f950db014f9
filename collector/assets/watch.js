// Waits for computers to arrive: <div data-watch="/address"> that answers
// {"waiting":true,"arrivals":[{"href":"…","hostname":"…","text":"3 s ago","pending":false}]}.

const place = document.querySelector("[data-watch]");
let known = "";

function show(answer) {
  const text = JSON.stringify(answer.arrivals.map((arrival) => arrival.href));
  if (answer.arrivals.length === 0) return;
  const lines = answer.arrivals.map((arrival) => {
    const line = document.createElement("p");
    const link = document.createElement("a");
    const name = document.createElement("bdi");
    name.textContent = arrival.hostname;
    link.href = arrival.href;
    link.append(name);
    line.append("Received from ", link, ` (${arrival.text})`);
    if (arrival.pending) {
      const approve = document.createElement("a");
      approve.href = arrival.href;
      approve.textContent = "Approve it";
      line.append(" ", approve);
    }
    return line;
  });
  place.replaceChildren(...lines);
  if (text !== known) document.querySelector("#arrivals").textContent = "Arrived";
  known = text;
}

async function look() {
  let waiting = true;
  if (!document.hidden) {
    try {
      const answer = await fetch(place.dataset.watch, { headers: { accept: "application/json" } });
      if (answer.redirected || answer.status === 401 || answer.status === 404) return;
      if (answer.ok) {
        const body = await answer.json();
        waiting = body.waiting;
        show(body);
      }
    } catch {
      // The collector may be restarting; the next look finds it again.
    }
  }
  if (waiting) setTimeout(look, 2000);
}

if (place) look();
