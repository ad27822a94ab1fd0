// The scrubber: an epoch by hand, step by step, or played.
let serial = 0;

export default {
  props: { last: Number, epoch: Number, labels: Object, equation: String, disabled: Boolean },
  template: `
    <section class="scrub" role="group" :aria-label="labels.scrub">
      <button type="button" class="round" :disabled="disabled" :aria-label="labels.back" @click="step(-1)">&#9664;&#xFE0E;</button>
      <button type="button" class="round play" :disabled="disabled" :aria-label="playing ? labels.pause : labels.play"
              @click="toggle">{{ playing ? "&#10074;&#10074;" : "&#9654;&#xFE0E;" }}</button>
      <button type="button" class="round" :disabled="disabled" :aria-label="labels.on" @click="step(1)">&#9654;&#xFE0E;</button>
      <input type="range" min="0" :max="last || 1" step="1" :value="inner" :disabled="disabled" :aria-label="labels.epoch"
             :aria-valuetext="labels.epoch + ' ' + inner" @input="go($event.target.valueAsNumber)">
      <output class="epoch">{{ labels.epoch }} <b>{{ inner.toLocaleString() }}</b> / {{ (last || 0).toLocaleString() }}</output>
      <output class="now"><span>{{ labels.loss }} <b>{{ now.loss }}</b></span><span v-if="now.unseen"> · {{ labels.unseen }} <b>{{ now.unseen }}</b></span></output>
    </section>`,
  data() {
    return { inner: this.epoch ?? 0, playing: false, flying: null, waiting: null, now: { loss: "–", unseen: "" } };
  },
  watch: {
    epoch(value) {
      if (this.flying === null && !this.playing) this.inner = value;
    },
    last() {
      this.inner = Math.min(this.inner, this.last);
    },
    disabled(value) {
      if (value) this.playing = false;
    },
  },
  mounted() {
    this.drawn = (event) => event.detail === this.flying && this.land();
    window.addEventListener("descend:drawn", this.drawn);
  },
  beforeUnmount() {
    this.playing = false;
    window.removeEventListener("descend:drawn", this.drawn);
  },
  methods: {
    tell(now) {
      const text = (value) => (value === undefined ? "–" : value === null ? "inf" : String(Number(Number(value).toPrecision(5))));
      this.now = { loss: text(now.loss), unseen: now.unseen === undefined ? "" : text(now.unseen) };
      if (this.flying === null && !this.playing) this.inner = now.epoch;
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
      if (this.flying !== null) {
        this.waiting = epoch;
        return;
      }
      this.flying = `scrub-${++serial}`;
      this.$emit("scrub", { epoch, serial: this.flying });
      clearTimeout(this.patience);
      this.patience = setTimeout(() => this.land(), 1500);
    },
    land() {
      this.flying = null;
      if (this.waiting !== null) {
        const epoch = this.waiting;
        this.waiting = null;
        this.go(epoch);
      }
    },
  },
};
