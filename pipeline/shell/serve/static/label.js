// What an analyst says of an alert or a campaign.
import { Refused, post } from "./ask.js";
import { byId, h, say } from "./dom.js";

const ASKED = { confirmed: "Confirm as an attack", benign: "Label as benign", "false-positive": "Label as false positive" };
const MEANS = {
  confirmed: "It counts for those who had seen it.",
  benign: "It is closed, its severity becomes informational, and it joins nothing.",
  "false-positive": "It is closed, its severity becomes informational, and counts against those who had seen it.",
};

export function label(line, verdict) {
  const basis = h("textarea", { name: "basis", rows: "3", maxlength: "2000", placeholder: "What you looked at, and what you found" });
  const sure = h("input", { name: "confidence", type: "number", min: "0", max: "100", value: "90", required: true });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const send = h("button", { class: "main", type: "submit" }, "Label");
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "dialog-name" }, ASKED[verdict]),
    h("p", {}, `${line.named[0]?.shown ?? line.id}${line.indicators > 1 ? ` and ${line.indicators - 1} more` : ""}. ${MEANS[verdict]} Your name stands with it.`),
    h("label", {}, "On what ground", basis),
    h("label", {}, "How sure, in percent", sure),
    wrong,
    h("div", { class: "buttons" }, h("button", { class: "plain", type: "button", onclick: () => byId("dialog").close() }, "Cancel"), send),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    try {
      await post("/api/labels", { id: line.id, verdict, basis: basis.value, confidence: Number(sure.value) });
      byId("dialog").close();
      say("Labelled. It shows when it has been read back.");
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof TypeError)) throw error;
      wrong.textContent = error instanceof Refused ? error.message : "The server does not answer.";
      send.disabled = false;
    }
  });
  const dialog = byId("dialog");
  dialog.replaceChildren(form);
  dialog.showModal();
  basis.focus();
}
