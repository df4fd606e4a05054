"use strict";
for (const element of document.querySelectorAll("[data-spec]")) {
  const spec = JSON.parse(document.getElementById(element.dataset.spec).textContent);
  const options = {
    mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false, ast: false,
    tooltip: { theme: "report", disableDefaultStyle: true },
  };
  vegaEmbed(element, spec, options).catch((error) => {
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
