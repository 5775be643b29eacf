// As much of a web page and of uPlot as the report's script uses: this project has no types of browsers.

export interface PageElement {
  readonly clientWidth: number
  readonly clientHeight: number
  readonly checked?: boolean
  className: string
  textContent: string | null
  append(...children: readonly PageElement[]): void
  toggleAttribute(name: string, force: boolean): void
  addEventListener(type: 'keydown' | 'change', listener: (event: Key) => void): void
}

export interface Key {
  readonly key: string
  readonly ctrlKey: boolean
  readonly altKey: boolean
  readonly metaKey: boolean
  preventDefault(): void
}

export interface Canvas {
  fillStyle: string
  strokeStyle: string
  lineWidth: number
  font: string
  textAlign: 'left' | 'right'
  textBaseline: 'middle'
  save(): void
  restore(): void
  beginPath(): void
  rect(x: number, y: number, width: number, height: number): void
  roundRect(x: number, y: number, width: number, height: number, radius: number): void
  clip(): void
  fill(): void
  stroke(): void
  moveTo(x: number, y: number): void
  lineTo(x: number, y: number): void
  setLineDash(lengths: readonly number[]): void
  fillRect(x: number, y: number, width: number, height: number): void
  fillText(text: string, x: number, y: number): void
  measureText(text: string): { readonly width: number }
}

export interface Plot {
  readonly ctx: Canvas
  /** Of the plot without its axes, in pixels of the canvas. */
  readonly bbox: { readonly left: number; readonly top: number; readonly width: number; readonly height: number }
  readonly over: PageElement
  readonly cursor: { readonly idx?: number | null }
  readonly scales: { readonly x: { readonly min: number; readonly max: number } }
  readonly height: number
  valToPos(value: number, scale: string, isCanvas?: boolean): number
  setCursor(at: { left: number; top: number }, fireHook: boolean): void
  setScale(scale: 'x', range: { min: number; max: number }): void
  setSize(size: { width: number; height: number }): void
  destroy(): void
  redraw(rebuildPaths: boolean, recalculateAxes: boolean): void
}

export type Values = readonly (readonly (number | null)[])[]

export interface Page {
  readonly documentElement: PageElement
  getElementById(id: string): PageElement | null
  createElement(name: string): PageElement
}

export interface Window {
  readonly devicePixelRatio: number
  addEventListener(type: 'resize' | 'beforeprint' | 'afterprint', listener: () => void): void
  matchMedia(query: string): { addEventListener(type: 'change', listener: () => void): void }
  getComputedStyle(element: PageElement): { getPropertyValue(name: string): string }
}
