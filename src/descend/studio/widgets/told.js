// A text that changes often: it is told by itself, without the rest of the page being looked at.
export default {
  props: { text: String, tone: String, label: String },
  template: `<p :class="inner.tone" :aria-label="label">{{ inner.text }}</p>`,
  data() {
    return { inner: { text: this.text, tone: this.tone } };
  },
  methods: {
    tell(text, tone) {
      this.inner = { text, tone: tone ?? this.inner.tone };
    },
  },
};
