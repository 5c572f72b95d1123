const PLAY = "M4 2.5v11L13 8z"
const PAUSE = "M4 3h3v10H4zM9 3h3v10H9z"

// One entry per mounted bar. It outlives the calls that a rerun or a new theme makes.
const bars = new WeakMap()

const selector = chart => ".st-key-" + CSS.escape(chart.trim().replace(/[^a-zA-Z0-9_-]/g, "-"))

// The index beside the slider is hidden: the chart itself names the epoch.
const sliderStyle = at => `
${at} svg.marks { user-select: none; }
${at} form.vega-bindings .vega-bind { width: 100%; }
${at} form.vega-bindings .vega-bind label { width: 100%; flex-wrap: nowrap; }
${at} form.vega-bindings .vega-bind-name { min-width: 0; }
${at} form.vega-bindings input[type="range"] { flex: 1 1 auto; width: auto; max-width: none; }
${at} form.vega-bindings input[type="range"] + span { display: none; }
`

class Bar {
  constructor(root) {
    this.root = root
    this.timer = null
    this.slider = null
    this.style = document.head.appendChild(document.createElement("style"))
    this.watch = new MutationObserver(() => this.adopt())
    this.watch.observe(document.body, { childList: true, subtree: true })
  }

  update(chart) {
    const [back, play, forward] = ["back", "play", "forward"].map(id => this.find(id))
    this.at = selector(chart)
    this.style.textContent = sliderStyle(this.at)
    back.onclick = () => this.stepOnce(-1)
    forward.onclick = () => this.stepOnce(1)
    play.onclick = () => (this.timer === null ? this.play() : this.pause())
    this.adopt()
  }

  find(id) {
    return this.root.querySelector("#" + id)
  }

  sliders() {
    return [...document.querySelectorAll(this.at + ' .vega-bindings input[type="range"]')]
  }

  // A chart that was drawn again has a new slider. It continues where the old one
  // stood, unless the page now asks for another range or another first epoch.
  adopt() {
    const slider = this.sliders()[0] ?? null
    if (slider === null || slider === this.slider) return
    const same = this.slider !== null && this.max === slider.max && this.first === slider.value
    const value = same ? this.slider.value : slider.value
    this.first = slider.value
    this.max = slider.max
    this.slider = slider
    for (const each of this.sliders()) each.setAttribute("aria-label", "epoch")
    slider.addEventListener("input", () => this.remember())
    if (value !== slider.value) this.go(Number(value))
  }

  // The address names the checkpoint, so that a copied link shows the same one.
  remember() {
    clearTimeout(this.later)
    this.later = setTimeout(() => {
      const url = new URL(window.location.href)
      if (this.atEnd()) url.searchParams.delete("at")
      else url.searchParams.set("at", this.slider.value)
      window.history.replaceState(window.history.state, "", url)
    }, 300)
  }

  go(value) {
    for (const slider of this.sliders()) {
      slider.value = Math.min(Math.max(value, Number(slider.min)), Number(slider.max))
      slider.dispatchEvent(new Event("input", { bubbles: true }))
    }
  }

  step(by) {
    if (this.slider !== null) this.go(Number(this.slider.value) + by)
  }

  stepOnce(by) {
    this.pause()
    this.step(by)
  }

  atEnd() {
    return this.slider === null || Number(this.slider.value) >= Number(this.slider.max)
  }

  play() {
    if (this.slider === null) return
    if (this.atEnd()) this.go(Number(this.slider.min))
    this.show("Pause", PAUSE)
    this.wait()
  }

  wait() {
    this.timer = setTimeout(() => this.tick(), 1000 / Number(this.find("speed").value))
  }

  tick() {
    this.step(1)
    if (this.atEnd()) this.pause()
    else this.wait()
  }

  pause() {
    clearTimeout(this.timer)
    this.timer = null
    this.show("Play", PLAY)
  }

  show(label, path) {
    const button = this.find("play")
    button.setAttribute("aria-label", label)
    button.title = label
    button.querySelector("path").setAttribute("d", path)
  }

  close() {
    clearTimeout(this.timer)
    clearTimeout(this.later)
    this.watch.disconnect()
    this.style.remove()
  }
}

export default function (component) {
  const root = component.parentElement
  if (!bars.has(root)) bars.set(root, new Bar(root))
  bars.get(root).update(component.data.chart)
  return () => {
    bars.get(root)?.close()
    bars.delete(root)
  }
}
