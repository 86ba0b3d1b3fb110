"""Videos that are drawn here: a bright square that moves over a dark street."""

import csv
import re
import signal
import threading
import time
from contextlib import suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from semseg.inference import Outputs, is_video
from semseg.inference.sources import find_videos, is_live
from semseg.inference.video import Smoother, segment_videos
from semseg.inference.video_reader import VideoReader
from semseg.inference.video_writer import VideoWriter
from semseg.system.stopping import Stopped
from tests.conftest import raises
from tests.inference.brightness import CLASSES, PALETTE, Brightness

WIDTH, HEIGHT, FPS = 96, 64, 10


def draw(path, num_frames=12, flicker=0, size=(WIDTH, HEIGHT)):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, size)
    random = np.random.default_rng(0)
    for number in range(num_frames):
        frame = np.full((size[1], size[0], 3), 60, np.uint8)
        frame[:32] = 190
        noise = random.normal(0, flicker, (size[1] // 8, size[0] // 8)) if flicker else np.zeros((8, 12))
        noise = cv2.resize(noise, size, interpolation=cv2.INTER_NEAREST)[..., None]
        frame[10:20, 2 * number : 2 * number + 10] = (255, 0, 0)
        writer.write(np.clip(frame + noise, 0, 255).astype(np.uint8))
    writer.release()
    return path


def segment(source, out_dir, predictor=None, **options):
    sources = [str(source)] if is_live(str(source)) else find_videos(source)
    outputs = Outputs(out_dir, CLASSES, PALETTE, opacity=1.0)
    return segment_videos(predictor or Brightness(), sources, outputs, **options)


def frames_of(path):
    return [frame for frame, _ in VideoReader(str(path)).frames()]


def masks_in(folder):
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])


def test_a_video_becomes_a_video_of_its_size_and_speed(tmp_path, capsys):
    segment(draw(tmp_path / "street.mp4"), tmp_path / "out", extras=("frames", "masks"))
    reader = VideoReader(str(tmp_path / "out/vis/street.mp4"))
    overlays = [frame for frame, _ in reader.frames()]
    assert (reader.fps, len(overlays), overlays[0].shape) == (FPS, 12, (HEIGHT, WIDTH, 3))
    assert np.abs(overlays[5][50, 50].astype(int) - PALETTE[0]).max() < 20  # RGB, not BGR
    assert np.abs(overlays[5][3, 80].astype(int) - PALETTE[1]).max() < 20
    masks = masks_in(tmp_path / "out/masks/street")
    assert masks.shape == (12, HEIGHT, WIDTH)
    assert (masks[:, 40:].max(), masks[:, :8].min()) == (0, 1)
    photographs = sorted((tmp_path / "out/frames/street").iterdir())
    assert [path.name for path in photographs[:2]] == ["000000.jpg", "000001.jpg"]
    (row,) = csv.DictReader((tmp_path / "out/manifest.csv").open())
    assert row["bytes"].split(";")[0] == str((tmp_path / "out/vis/street.mp4").stat().st_size)
    assert row["outputs"] == "vis/street.mp4;frames/street;masks/street"
    assert (row["status"], row["width"], row["height"]) == ("ok", str(WIDTH), str(HEIGHT))
    (stats,) = csv.DictReader((tmp_path / "out/stats.csv").open())
    assert float(stats["road"]) + float(stats["sky"]) == pytest.approx(1)
    assert "street.mp4: 12 frames in " in capsys.readouterr().out


def test_smoothing_reduces_flicker(tmp_path):
    path = draw(tmp_path / "street.mp4", 30, flicker=60)
    flips = []
    for smooth in (0, 0.5, 0.8):
        segment(path, tmp_path / str(smooth), extras=("masks",), smooth=smooth)
        masks = masks_in(tmp_path / str(smooth) / "masks/street")
        flips.append(float((masks[1:] != masks[:-1]).mean()))
    assert flips[0] > 2 * flips[1] > 4 * flips[2] > 0, flips


def test_the_weight_of_the_past_decreases():
    smoother = Smoother(0.5)
    sky = np.array([0.0, 1.0], np.float16).reshape(2, 1, 1)
    road = 1 - sky
    assert [int(smoother(seen)[0, 0]) for seen in (sky, sky, road, road)] == [1, 1, 0, 0]
    smoother = Smoother(0.8)
    assert [int(smoother(seen)[0, 0]) for seen in (sky, *[road] * 5)] == [1, 1, 1, 1, 0, 0]


def test_a_stream_drops_frames_and_does_not_fall_behind(tmp_path, capsys):
    path = draw(tmp_path / "street.mp4", 60)
    predictor = Brightness(0.05)
    segment(f"file://{path}", tmp_path / "out", predictor)
    assert 1 <= len(predictor.batches) < 60
    assert len(frames_of(tmp_path / "out/vis/street.mp4")) == len(predictor.batches)
    said = capsys.readouterr().out
    assert f"{60 - len(predictor.batches)} dropped" in said


def test_videos_with_complete_results_are_skipped(tmp_path):
    path = draw(tmp_path / "street.mp4", 3)
    segment(path, tmp_path / "out")
    predictor = Brightness()
    segment(path, tmp_path / "out", predictor, skip_existing=True)
    assert predictor.batches == []
    segment(path, tmp_path / "out", predictor)
    assert len(predictor.batches) == 3


def test_the_overlay_never_replaces_its_video(tmp_path):
    (tmp_path / "vis").mkdir()
    content = draw(tmp_path / "vis/street.mp4", 3).read_bytes()
    with raises("E-input-overwrite", r"vis/street\.mp4"):
        segment(tmp_path / "vis/street.mp4", tmp_path)
    assert (tmp_path / "vis/street.mp4").read_bytes() == content


def test_a_file_that_is_no_video_is_an_error(tmp_path):
    with raises("E-input-missing", r"no video or folder .*none\.mp4"):
        segment(tmp_path / "none.mp4", tmp_path / "out")
    with raises("E-input-video", r"tcp://127.0.0.1:1/x"):
        segment("tcp://127.0.0.1:1/x", tmp_path / "out")
    draw(tmp_path / "a.mp4")
    with raises("E-input-output-kind", "`save` conf: .* frames, masks"):
        segment(tmp_path / "a.mp4", tmp_path / "out", extras=("conf",))


def test_a_broken_video_is_skipped_and_a_truncated_one_is_partial(tmp_path, capfd):
    (tmp_path / "text.mp4").write_text("no video")
    whole = draw(tmp_path / "whole.avi", 40)
    (tmp_path / "cut.avi").write_bytes(whole.read_bytes()[:-2000])
    sources = find_videos(tmp_path / "text.mp4", tmp_path / "cut.avi", tmp_path / "whole.avi")
    outputs = Outputs(tmp_path / "out", CLASSES, PALETTE)
    names = [str(tmp_path / name) for name in ("text.mp4", "cut.avi")]
    assert segment_videos(Brightness(), sources, outputs) == names
    err = capfd.readouterr().err
    assert "skipped " in err
    assert "text.mp4 is not a video, camera or stream that OpenCV can open" in err
    assert re.search(r"cut\.avi: nothing could be read after \d\d of the 40 frames that it announces", err)
    rows = list(csv.DictReader((tmp_path / "out/manifest.csv").open()))
    assert [row["status"][:7] for row in rows] == ["failed:", "partial", "ok"]
    predictor = Brightness()
    assert segment_videos(predictor, sources, outputs, skip_existing=True) == names
    assert 1 < len(predictor.batches) < 40  # the cut one again, the whole one not
    with pytest.raises(Stopped, match=r"stopped: .*text\.mp4 is not a video"):
        segment_videos(Brightness(), sources, outputs, stop_on_error=True)


def draw_at(path, times):
    """Write frames whose brightness is their number, each shown from a time on (in ms)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_ms in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 20 + 10 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def times_of(path):
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def test_each_frame_is_shown_as_long_as_in_the_source(tmp_path):
    times = [0, 40, 80, 1500, 1540, 3500, 3520, 4000]
    path = draw_at(tmp_path / "phone.mp4", times)
    segment(path, tmp_path / "out", extras=("masks",))
    assert times_of(tmp_path / "out/vis/phone.mp4") == pytest.approx([time / 1000 for time in times], abs=0.002)
    assert len(masks_in(tmp_path / "out/masks/phone")) == len(times)


@pytest.mark.slow
def test_the_overlay_of_a_live_stream_lasts_as_long_as_it_was_recorded(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.sent = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    started = []

    class Watching(Brightness):
        def predict(self, images, **wanted):
            started.append(time.monotonic())
            if time.monotonic() - started[0] > 2:
                signal.raise_signal(signal.SIGINT)
            return super().predict(images, **wanted)

    try:
        segment(f"http://127.0.0.1:{server.server_port}/street.mjpg", tmp_path / "out", Watching(0.2))
    finally:
        server.shutdown()
        server.server_close()
    (path,) = (tmp_path / "out/vis").iterdir()
    shown = times_of(path)
    assert shown[-1] == pytest.approx(2, abs=0.7)
    assert len(shown) < 15  # and not 0.04 s each


@pytest.mark.slow
@pytest.mark.parametrize("size", [(96, 64), (95, 63)])
def test_a_browser_plays_what_is_written(tmp_path, new_page, size):
    writer = VideoWriter(tmp_path / "street.mp4", size[::-1], FPS)
    for number in range(12):
        writer.write(np.full((size[1], size[0], 3), 20 * number, np.uint8), number / FPS)
    writer.close()
    (tmp_path / "page.html").write_text("<video src='street.mp4' muted></video>")
    page = new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_function("document.querySelector('video').readyState >= 2", timeout=20_000)
    found = page.evaluate("(v => [v.videoWidth, v.videoHeight, v.duration])(document.querySelector('video'))")
    assert found == [96, 64, pytest.approx(1.2, abs=0.05)]  # sides are even in H.264


def test_videos_of_one_name_in_two_folders_have_two_results(tmp_path):
    for folder in ("north", "south"):
        (tmp_path / folder).mkdir()
        draw(tmp_path / folder / "a.mp4", 3)
    (tmp_path / "south/notes.txt").touch()
    sources = find_videos(tmp_path)
    segment_videos(Brightness(), sources, Outputs(tmp_path / "out", CLASSES, PALETTE))
    assert [str(path.relative_to(tmp_path / "out/vis")) for path in sorted((tmp_path / "out/vis").rglob("*.mp4"))] == [
        "north/a.mp4",
        "south/a.mp4",
    ]
    with raises("E-input-same-name", r"a\.avi and .*a\.mp4 .* a\.mp4; rename one of them$"):
        (tmp_path / "a.avi").touch()
        (tmp_path / "a.mp4").touch()
        find_videos(tmp_path / "a.avi", tmp_path / "a.mp4")


def test_folders_and_patterns_of_videos_are_videos_and_folders_with_odd_names_are_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("clips/a.m4v", "clips/deep/b.TS", "photos.mp4/c.jpg", "2024/d.jpg", "mixed/e.mp4", "mixed/f.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [is_video(source) for source in ("clips", "clips/*.m4v", "clips/a.m4v", "0", "rtsp://x/y")] == [True] * 5
    assert [is_video(source) for source in ("photos.mp4", "2024", "mixed", "mixed/*.jpg")] == [False] * 4
    assert [str(video.name) for video in find_videos("clips")] == ["a", "deep/b"]


class Camera(BaseHTTPRequestHandler):
    """Sends 20 JPEG images per second, as network cameras do, until the other side disconnects."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        with suppress(OSError):
            while True:
                self.server.sent += 1
                picture = np.full((HEIGHT, WIDTH, 3), self.server.sent % 256, np.uint8)
                jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
                self.wfile.write(jpeg + b"\r\n")
                time.sleep(0.05)

    def log_message(self, *_):
        pass


@pytest.mark.slow
def test_a_network_camera_runs_until_ctrl_c_and_the_newest_frames_are_used(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.sent = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/street.mjpg"
    behind = []

    class Slow(Brightness):
        def predict(self, images, **wanted):
            if len(self.batches) == 8:
                signal.raise_signal(signal.SIGINT)
            behind.append(server.sent - int(images[0].mean()))
            return super().predict(images, **wanted)

    predictor = Slow(0.3)  # six times slower than the camera
    try:
        segment(address, tmp_path / "out", predictor)
    finally:
        server.shutdown()
        server.server_close()
    assert len(frames_of(tmp_path / "out/vis/street.mp4")) == 8
    assert max(behind[2:]) < 30, behind  # without dropping, each is 5 frames later than the one before
    assert behind[-1] - behind[2] < 10, behind
