// A text that changes often: it is told by itself, without the rest of the page being looked at.
export default {
  props: { text: String, tone: String, scrolls: Boolean },
  template: `<p :class="inner.tone" :tabindex="scrolls ? 0 : null">{{ inner.text }}</p>`,
  data() {
    return { inner: { text: this.text, tone: this.tone } };
  },
  methods: {
    tell(text, tone) {
      this.inner = { text, tone: tone ?? this.inner.tone };
    },
  },
};
