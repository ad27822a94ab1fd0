// The scrubber: an epoch by hand, step by step, or played.
import { Turns } from "descend-drawing";

export default {
  props: { labels: Object },
  template: `
    <section class="scrub" role="group" :aria-label="labels.scrub">
      <button type="button" class="round" :disabled="disabled" :aria-label="labels.back" @click="step(-1)">&#9664;&#xFE0E;</button>
      <button type="button" class="round play" :disabled="disabled" :aria-label="playing ? labels.pause : labels.play"
              @click="toggle">{{ playing ? "&#10074;&#10074;" : "&#9654;&#xFE0E;" }}</button>
      <button type="button" class="round" :disabled="disabled" :aria-label="labels.on" @click="step(1)">&#9654;&#xFE0E;</button>
      <input type="range" min="0" :max="last || 1" step="1" :value="inner" :disabled="disabled" :aria-label="labels.epoch"
             :aria-valuetext="labels.epoch + ' ' + inner" @input="go($event.target.valueAsNumber)">
      <output class="epoch">{{ labels.epoch }} <b>{{ inner.toLocaleString() }}</b> / {{ (last || 0).toLocaleString() }}</output>
      <output class="now"><span>{{ labels['loss-axis'] }} <b>{{ now.loss }}</b></span><span v-if="now.unseen"> · {{ labels.unseen }} <b>{{ now.unseen }}</b></span></output>
    </section>`,
  data() {
    return { last: 0, disabled: true, inner: 0, playing: false, now: { loss: "–", unseen: "" } };
  },
  mounted() {
    this.turns = new Turns((epoch, serial) => this.$emit("scrub", { epoch, serial }));
  },
  beforeUnmount() {
    this.playing = false;
    this.turns.end();
  },
  methods: {
    tell(now) {
      const text = (value) => (value === undefined ? "–" : value === null ? "inf" : String(Number(Number(value).toPrecision(5))));
      this.now = { loss: text(now.loss), unseen: now.unseen === undefined ? "" : text(now.unseen) };
      if (now.last !== undefined) this.last = now.last;
      this.disabled = now.disabled ?? false;
      if (this.disabled) this.playing = false;
      if (this.turns.flying === null && !this.playing) this.inner = now.epoch;
    },
    step(by) {
      this.playing = false;
      this.go(Math.min(Math.max(this.inner + by, 0), this.last));
    },
    toggle() {
      this.playing = !this.playing;
      if (!this.playing) return;
      const from = this.inner >= this.last ? 0 : this.inner;
      const started = performance.now();
      const time = Math.min(Math.max(this.last * 60, 1500), 7000);
      const frame = (now) => {
        if (!this.playing) return;
        const epoch = Math.min(Math.round(from + (this.last * (now - started)) / time), this.last);
        if (epoch !== this.inner) this.go(epoch);
        if (epoch >= this.last) this.playing = false;
        else requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    },
    go(epoch) {
      this.inner = epoch;
      this.turns.send(epoch);
    },
  },
};
