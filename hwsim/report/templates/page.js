(() => {
  "use strict";
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const shared = document.getElementById("shared");
  const common = {
    font: { family: "system-ui, sans-serif", size: 12 },
    margin: { l: 12, r: 48, t: 44, b: 48 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", traceorder: "normal" },
    hoverlabel: { align: "left", bgcolor: "#22272e", bordercolor: "#59616b", font: { family: "system-ui, sans-serif" } },
  };

  const draw = (id, { data, layout }, axis) =>
    Plotly.react(
      id,
      data,
      { ...common, ...layout, legend: { ...common.legend, ...layout.legend }, xaxis: { ...layout.xaxis, ...axis } },
      { responsive: true, displaylogo: false, displayModeBar: false },
    );

  const show = () => {
    const chosen = document.querySelector("input[name=architecture]:checked").value;
    for (const part of document.querySelectorAll("[data-architecture]"))
      part.hidden = part.dataset.architecture !== chosen;
    const modules = figures.modules[chosen];
    draw("modules", modules, shared.checked ? { range: modules.layout.meta.shared_range } : {});
    draw("roofline", figures.rooflines[chosen]);
  };

  draw("phases", figures.phases);
  show();
  for (const input of document.querySelectorAll("input")) input.addEventListener("change", show);
  matchMedia("print").addEventListener("change", () => {
    for (const chart of document.querySelectorAll(".chart")) Plotly.Plots.resize(chart);
  });
})();
