"""Clips that are drawn here: a bright square that wanders over a dark street."""

import csv
import re
import signal
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from PIL import Image

from semseg.inference import Outputs
from semseg.inference.video import Clip, Smoother, segment_videos
from semseg.stopping import Stopped
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
    segment_videos(predictor or Brightness(), [str(source)], Outputs(out_dir, CLASSES, PALETTE, opacity=1.0), **options)


def frames_of(path):
    return list(Clip(str(path)).frames())


def masks_in(folder):
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])


def test_a_video_becomes_a_video_of_its_size_and_speed(tmp_path, capsys):
    segment(draw(tmp_path / "street.mp4"), tmp_path / "out", extras=("frames", "masks"))
    clip = Clip(str(tmp_path / "out/vis/street.mp4"))
    overlays = list(clip.frames())
    assert (clip.fps, len(overlays), overlays[0].shape) == (FPS, 12, (HEIGHT, WIDTH, 3))
    assert np.abs(overlays[5][50, 50].astype(int) - PALETTE[0]).max() < 20  # RGB, not BGR
    assert np.abs(overlays[5][3, 80].astype(int) - PALETTE[1]).max() < 20
    masks = masks_in(tmp_path / "out/masks/street")
    assert masks.shape == (12, HEIGHT, WIDTH)
    assert (masks[:, 40:].max(), masks[:, :8].min()) == (0, 1)
    photographs = sorted((tmp_path / "out/frames/street").iterdir())
    assert [path.name for path in photographs[:2]] == ["000000.jpg", "000001.jpg"]
    (row,) = csv.DictReader((tmp_path / "out/manifest.csv").open())
    assert row["outputs"] == "vis/street.mp4;frames/street;masks/street"
    assert (row["status"], row["width"], row["height"]) == ("ok", str(WIDTH), str(HEIGHT))
    (stats,) = csv.DictReader((tmp_path / "out/stats.csv").open())
    assert float(stats["road"]) + float(stats["sky"]) == pytest.approx(1)
    assert "street.mp4: 12 frames in " in capsys.readouterr().out


def test_smoothing_takes_flicker_away(tmp_path):
    path = draw(tmp_path / "street.mp4", 30, flicker=60)
    flips = []
    for smooth in (0, 0.5, 0.8):
        segment(path, tmp_path / str(smooth), extras=("masks",), smooth=smooth)
        masks = masks_in(tmp_path / str(smooth) / "masks/street")
        flips.append(float((masks[1:] != masks[:-1]).mean()))
    assert flips[0] > 2 * flips[1] > 4 * flips[2] > 0, flips


def test_smoothing_lets_the_past_fade():
    smoother = Smoother(0.5)
    sky = np.array([0.0, 1.0], np.float16).reshape(2, 1, 1)
    road = 1 - sky
    assert [int(smoother(seen)[0, 0]) for seen in (sky, sky, road, road)] == [1, 1, 0, 0]
    smoother = Smoother(0.8)
    assert [int(smoother(seen)[0, 0]) for seen in (sky, *[road] * 5)] == [1, 1, 1, 1, 0, 0]


def test_a_stream_drops_frames_rather_than_fall_behind(tmp_path, capsys):
    path = draw(tmp_path / "street.mp4", 60)
    predictor = Brightness(0.05)
    segment(f"file://{path}", tmp_path / "out", predictor)
    assert 1 <= len(predictor.batches) < 60
    assert len(frames_of(tmp_path / "out/vis/street.mp4")) == len(predictor.batches)
    said = capsys.readouterr().out
    assert f"{60 - len(predictor.batches)} dropped" in said


def test_existing_videos_are_left_alone(tmp_path):
    path = draw(tmp_path / "street.mp4", 3)
    segment(path, tmp_path / "out")
    predictor = Brightness()
    segment(path, tmp_path / "out", predictor, skip_existing=True)
    assert predictor.batches == []
    segment(path, tmp_path / "out", predictor)
    assert len(predictor.batches) == 3


def test_what_is_no_video_is_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no video .*none\.mp4"):
        segment(tmp_path / "none.mp4", tmp_path / "out")
    with pytest.raises(ValueError, match=r"tcp://127.0.0.1:1/x is not a video, camera or stream that OpenCV can open"):
        segment("tcp://127.0.0.1:1/x", tmp_path / "out")
    draw(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match=r"--save conf: of a video, expected some of frames, masks"):
        segment(tmp_path / "a.mp4", tmp_path / "out", extras=("conf",))
    twice = [str(tmp_path / "a.mp4"), "elsewhere/a.avi"]
    with pytest.raises(ValueError, match=r"a\.mp4 and elsewhere/a\.avi would both write vis/a\.mp4; rename one"):
        segment_videos(Brightness(), twice, Outputs(tmp_path, CLASSES, PALETTE))


def test_a_broken_video_is_skipped_and_the_others_go_on(tmp_path, capfd):
    (tmp_path / "text.mp4").write_text("no video")
    whole = draw(tmp_path / "whole.avi", 40)
    (tmp_path / "cut.avi").write_bytes(whole.read_bytes()[:-2000])
    sources = [str(tmp_path / name) for name in ("text.mp4", "cut.avi", "whole.avi")]
    outputs = Outputs(tmp_path / "out", CLASSES, PALETTE)
    assert segment_videos(Brightness(), sources, outputs) == [sources[0]]
    out, err = capfd.readouterr()
    assert "skipped " in err
    assert "text.mp4 is not a video, camera or stream that OpenCV can open" in err
    assert re.search(r"cut\.avi: \d\d frames .*, after which nothing could be read of the 40 that the file spea", out)
    rows = list(csv.DictReader((tmp_path / "out/manifest.csv").open()))
    assert [row["status"][:6] for row in rows] == ["failed", "ok", "ok"]
    with pytest.raises(Stopped, match=r"stopped: .*text\.mp4 is not a video"):
        segment_videos(Brightness(), sources, outputs, stop_on_error=True)


class Camera(BaseHTTPRequestHandler):
    """Sends 20 JPEG pictures a second, as network cameras do, until the other side has enough."""

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


def test_a_camera_in_the_network_runs_until_ctrl_c_and_its_pictures_are_the_newest(tmp_path):
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
