"use strict";
(() => {
  const next = { undefined: "real", real: "simulated", simulated: "real" };
  for (const section of document.querySelectorAll("#tiles, #whole")) {
    const pictures = [...section.querySelectorAll(".quiz button")];
    const say = (picture, words) => { picture.querySelector("span").textContent = words; };
    section.addEventListener("click", (event) => {
      const picture = event.target.closest(".quiz button");
      if (picture) {
        picture.dataset.guess = next[picture.dataset.guess];
        picture.className = "";
        say(picture, picture.dataset.guess);
      }
      if (!event.target.closest(".score")) return;
      const guessed = pictures.filter((one) => one.dataset.guess);
      let right = 0;
      for (const one of guessed) {
        const hit = (one.dataset.guess === "real") === (one.dataset.real === "1");
        one.className = hit ? "right" : "wrong";
        say(one, `${one.dataset.guess}: ${hit ? "right" : "wrong"}`);
        right += hit;
      }
      section.querySelector("output").textContent =
        guessed.length ? `${right} of ${guessed.length} right; chance is about ${Math.round(guessed.length / 2)}` : "guess first";
    });
  }
})();
