# SPDX-License-Identifier: GPL-3.0-or-later
# style.gp - how all pictures look; called with `format` (png or svg), `out`,
# `width`, `height` and, for png, `zoom`.  Colours are told apart by colour-blind readers too (Tol's
# "muted" and Okabe-Ito's orange); curves differ in their points as well.
if (format eq "png") {
	set terminal pngcairo noenhanced size zoom * width, zoom * height fontscale zoom \
		linewidth zoom pointscale zoom font "DejaVu Sans,10" background "#ffffff"
} else {
	set terminal svg noenhanced size width, height font "DejaVu Sans,Helvetica,Arial,10" \
		background "#ffffff"
}
set output out

ink = "#333333"
set border 3 linewidth 0.8 linecolor rgb "#888888"
set tics nomirror scale 0.5 textcolor rgb ink
set grid ytics linetype 1 linewidth 0.5 linecolor rgb "#e2e2e2"
set title font ",13" textcolor rgb "#111111"
set xlabel textcolor rgb ink
set ylabel textcolor rgb ink
set key outside right center samplen 2.5 spacing 1.35 textcolor rgb ink noautotitle Left reverse

# 1 uvm-like ... in the order of the cases; the floor has a style of its own.
set style line 1 linecolor rgb "#d9730d" linewidth 2 pointtype 5 pointsize 0.7
set style line 2 linecolor rgb "#e9b44c" linewidth 2 pointtype 4 pointsize 0.7
set style line 3 linecolor rgb "#882255" linewidth 2 pointtype 9 pointsize 0.8
set style line 4 linecolor rgb "#cc6677" linewidth 2 pointtype 8 pointsize 0.8
set style line 5 linecolor rgb "#332288" linewidth 2 pointtype 7 pointsize 0.7
set style line 6 linecolor rgb "#2f7fc1" linewidth 2 pointtype 6 pointsize 0.7
set style line 7 linecolor rgb "#88ccee" linewidth 2 pointtype 11 pointsize 0.8
set style line 8 linecolor rgb "#117733" linewidth 2 pointtype 13 pointsize 0.9
set style line 9 linecolor rgb "#44aa99" linewidth 2 pointtype 12 pointsize 0.9
set style line 10 linecolor rgb "#999933" linewidth 2 pointtype 15 pointsize 0.8
set style line 11 linecolor rgb "#aa4499" linewidth 2 pointtype 14 pointsize 0.8
set style line 12 linecolor rgb "#666666" linewidth 2 pointtype 1 pointsize 0.8
floor_ls = 100
set style line 100 linecolor rgb "#555555" linewidth 1.6 dashtype (6, 4) pointtype -1
style_of(k) = k == 0 ? floor_ls : (k - 1) % 12 + 1
