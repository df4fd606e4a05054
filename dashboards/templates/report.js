"use strict";
for (const element of document.querySelectorAll("[data-spec]")) {
  const spec = JSON.parse(document.getElementById(element.dataset.spec).textContent);
  const options = {
    mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false, ast: false,
    tooltip: { theme: "report", disableDefaultStyle: true },
  };
  vegaEmbed(element, spec, options).then(() => {
    // On narrow screens a chart shrinks only as far as its text can be read, then it scrolls.
    const svg = element.querySelector("svg");
    svg.style.minWidth = Math.min(640, svg.width.baseVal.value) + "px";
  }).catch((error) => {
    element.textContent = "This chart cannot be drawn here (" + error.message + "); its files are linked below.";
  });
}
const lightbox = document.getElementById("lightbox");
for (const button of document.querySelectorAll("[data-enlarge]")) {
  button.addEventListener("click", () => {
    const image = button.querySelector("img");
    const large = lightbox.querySelector("img");
    large.src = image.src;
    large.alt = image.alt;
    large.className = image.className;
    lightbox.querySelector("p").textContent = image.alt;
    lightbox.showModal();
  });
}
if (lightbox) {
  lightbox.addEventListener("click", (event) => {
    if (event.target === lightbox) { lightbox.close(); }
  });
}
